// Lets the identity of a system topic write dead letters. Deployed into the resource group of the dead letters' account.
targetScope = 'resourceGroup'

@description('Storage account of the dead letters.')
param accountName string

@description('Container of the dead letters.')
param containerName string

@description('Principal id of the topic\'s system-assigned identity.')
param principalId string

var roles = loadJsonContent('../role-ids.json')

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource container 'containers' existing = {
      name: containerName
    }
  }
}

resource writesDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::blobs::container.id, principalId, roles.storageBlobDataContributor.id)
  scope: account::blobs::container
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor.id)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'ACR Transfer Monitor: Event Grid keeps here the events that it could not deliver for a day.'
  }
}
