// The monitor's own account: the host's leases, the code, the state and dead-lettered events. No keys, no public blobs.

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Redundancy.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param sku string

@description('Whether public networks reach it. Only Entra ID identities are let in either way.')
param publicAccess bool

@description('Object id of the app\'s identity.')
param principalId string

@description('Whether Event Grid writes events to a queue here, for an app that it can\'t reach.')
param eventQueue bool

@description('Days after which a dead-lettered event is deleted.')
@minValue(7)
@maxValue(365)
param deadLetterRetentionDays int

var roles = loadJsonContent('../role-ids.json')

// Each role of the app on this account, and why.
var ownGrants = [
  {
    role: roles.storageBlobDataOwner.id
    why: 'The Functions host keeps leases and keys in blobs and wants owner for them; the app keeps its state here.'
  }
  {
    role: roles.storageTableDataContributor.id
    why: 'The Functions host writes its diagnostic events to a table.'
  }
]
var queueGrants = [
  {
    role: roles.storageQueueDataContributor.id
    why: 'The Functions host takes events out of the queue, and moves to another one what the app could not take.'
  }
]
var grants = concat(ownGrants, eventQueue ? queueGrants : [])
var queueName = 'transfer-events'

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      // Event Grid writes dead letters, and events into the queue, as a trusted service.
      bypass: 'AzureServices'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    // The state is small and worth more than its storage: a deleted container can be brought back for a week.
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'app-package'
  properties: {
    publicAccess: 'None'
  }
}

resource state 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'acr-transfer-monitor'
  properties: {
    publicAccess: 'None'
  }
}

resource deadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'dead-letters'
  properties: {
    publicAccess: 'None'
  }
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = if (eventQueue) {
  parent: account
  name: 'default'
}

resource events 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = if (eventQueue) {
  parent: queues
  name: queueName
}

// The host makes this one itself when it needs it. It is here so that whoever looks for it finds it, empty.
resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = if (eventQueue) {
  parent: queues
  name: '${queueName}-poison'
}

// The state has no rule here: the app itself knows what it still needs.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'delete-old-dead-letters'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: ['blockBlob', 'appendBlob']
              prefixMatch: ['${deadLetters.name}/']
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: deadLetterRetentionDays
                }
              }
            }
          }
        }
      ]
    }
  }
}

resource grant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for item in grants: {
    scope: account
    name: guid(account.id, principalId, item.role)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', item.role)
      description: item.why
    }
  }
]

@description('Resource id.')
output id string = account.id

@description('Name of the account.')
output name string = account.name

@description('Blob endpoint.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

@description('Queue endpoint.')
output queueEndpoint string = account.properties.primaryEndpoints.queue

@description('Table endpoint.')
output tableEndpoint string = account.properties.primaryEndpoints.table

@description('URL of the container that the code is deployed to.')
output packageContainerUrl string = '${account.properties.primaryEndpoints.blob}${packages.name}'

@description('URL of the container with the monitor\'s state.')
output stateContainerUrl string = '${account.properties.primaryEndpoints.blob}${state.name}'

@description('Name of the container for dead-lettered events.')
output deadLetterContainerName string = deadLetters.name

@description('Name of the queue that Event Grid writes to; empty if there is none.')
output eventQueueName string = eventQueue ? queueName : ''
