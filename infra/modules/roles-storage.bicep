// The monitor's roles on one storage account and its transfer containers.
targetScope = 'resourceGroup'

@description('Name of the storage account.')
param accountName string

@description('Names of the containers whose blobs are looked at; empty for none.')
param containerNames string[]

@description('Object id of the identity that is to read.')
param principalId string

@description('What the identity is.')
@allowed(['ServicePrincipal', 'Group', 'User'])
param principalType string

@description('Id of the role that reads settings.')
param readerRoleId string

var roles = loadJsonContent('../role-ids.json')

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName

  resource blobs 'blobServices' existing = {
    name: 'default'
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = [
  for name in containerNames: {
    parent: account::blobs
    name: name
  }
]

resource readsSettings 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, readerRoleId)
  scope: account
  properties: {
    roleDefinitionId: readerRoleId
    principalId: principalId
    principalType: principalType
    description: 'ACR Transfer Monitor: reads firewall, key age and containers, and who holds roles on them.'
  }
}

// Azure has no smaller right for the properties of a blob: whoever may read them may also download it.
resource readsBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in containerNames: {
    name: guid(account.id, name, principalId, roles.storageBlobDataReader.id)
    scope: containers[i]
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader.id)
      principalId: principalId
      principalType: principalType
      description: 'ACR Transfer Monitor: reads properties, metadata and lists of blobs in this container.'
    }
  }
]
